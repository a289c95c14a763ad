"""The words of the outreach data: links, agents and provider phrases."""

from __future__ import annotations

COMPANY_FIRST = ("Alder", "Bright", "Cedar", "Delta", "Elm", "Falcon", "Golden", "Hazel", "Iron")
COMPANY_SECOND = ("Bakery", "Clinics", "Data", "Foods", "Motors", "Labs", "Partners", "Systems")
JOB_TITLES = ("Head of Operations", "Sales Director", "Office Manager", "CTO", "Founder", "Buyer")
SUBJECTS = (
    "A quick question about your roadmap",
    "Two ideas for your team",
    "Following up on my note",
    "How others solved this",
    "Is this still on your list?",
    "Last note from me",
)
FAILURES = (
    "Unauthorized: the mailbox must be connected again",
    "Request failed with status code 429",
    "connect ETIMEDOUT",
    "Invalid recipient address",
)
LINKS = tuple(
    f"https://www.example.com/{path}"
    for path in (
        *("pricing", "demo", "case-studies/retail", "case-studies/health", "blog/roadmap"),
        *("book-a-call", "guide.pdf", "about", "security", "customers", "integrations", "webinar"),
    )
)
# The addresses are from the blocks reserved for documentation.
ADDRESSES = tuple(
    f"{block}.{host}" for block in ("192.0.2", "198.51.100", "203.0.113") for host in range(1, 255)
)
_BROWSER = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) {}"
HUMAN_AGENTS = (
    _BROWSER.format("Windows NT 10.0; Win64; x64", "Chrome/138.0.0.0 Safari/537.36"),
    _BROWSER.format("Windows NT 10.0; Win64; x64", "Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0"),
    _BROWSER.format("X11; Linux x86_64", "Chrome/137.0.0.0 Safari/537.36"),
    _BROWSER.format("Linux; Android 15; Pixel 9", "Chrome/138.0.0.0 Mobile Safari/537.36"),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_5) AppleWebKit/605.1.15 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2) Microsoft Outlook 16.0.17928",
)
APPLE_AGENT = "Mozilla/5.0"
PROXY_AGENTS = (
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
)
SCANNER_AGENTS = (
    "Mozilla/5.0 (compatible; BarracudaCentral/1.0)",
    "Mozilla/5.0 (compatible; Mimecast-URL-Protect/2.0)",
    "Mozilla/5.0 (compatible; proofpoint-urldefense-bot/1.1)",
    "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0.0.0 Safari/537.36",
    "python-requests/2.32.3",
)
