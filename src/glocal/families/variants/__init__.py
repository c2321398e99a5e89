"""Families that are made of another: timm's own CoAtNets, and the steps that lead from a ResNet to ConvNeXt."""
