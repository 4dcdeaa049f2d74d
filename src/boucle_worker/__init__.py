"""What runs inside a model's own environment: it loads the model, reproduces its answers and answers rows.

Standard library and the model's own numpy only, Python 3.8 and later, no import of boucle: the environment
of a version holds what its notebook held and nothing of the platform.
"""
