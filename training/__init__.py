"""How the networks that the project trained itself were made; nothing here is needed to run them."""
