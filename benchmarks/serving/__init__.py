"""How fast the gateway answers, beside BentoML, LitServe, MLServer, Ray Serve and FastAPI alone."""
