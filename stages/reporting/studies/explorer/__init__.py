"""reports/explorer.html: all arms of all studies on one page that needs nothing but a browser."""
