"""What keeps an account from harm, with nothing that the exchange would have to grant."""
