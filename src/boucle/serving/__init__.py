"""From bytes to answers: decode, validate, batch, run, encode; and the host of the models that run apart."""
