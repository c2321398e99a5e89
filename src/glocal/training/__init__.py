"""The science of a step: the loop, the optimiser and its state, mixing and losses, freezing, distillation."""
