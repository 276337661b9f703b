"""What the tab "Learn" computes: sounds and pictures that explain how speech is made, from the models that make it."""
