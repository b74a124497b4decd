"""What is known of Bybit V5, and nothing else: no socket, thread, clock, random or log in here."""
