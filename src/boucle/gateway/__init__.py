"""The data plane over HTTP: predictions only. It knows no training code and never unpickles."""
