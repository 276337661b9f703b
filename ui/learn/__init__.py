"""What the tab "Learn" shows: sounds and pictures of the models at work, computed by the models themselves."""
