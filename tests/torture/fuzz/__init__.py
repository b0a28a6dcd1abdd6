"""Every parser of the gateway, fed with bytes by atheris (coverage) and hypothesis (the tests)."""
