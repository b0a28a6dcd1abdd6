"""The paper's experiments on distorted digits: made, trained and put in a table."""
