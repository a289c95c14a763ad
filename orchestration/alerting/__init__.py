"""Alerts: what is wrong now, what of it to tell, and to whom."""
