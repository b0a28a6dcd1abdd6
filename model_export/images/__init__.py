"""A classifier of your own pictures, from a folder with one folder for each class."""
