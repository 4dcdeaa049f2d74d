"""What makes a model deployable: answers reproduced, raw rows taken, tensors mapped. Numpy and core only."""
