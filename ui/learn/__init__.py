"""What the page's tab Learn shows of the engines at work, computed by the engines themselves."""
