"""Networks that can be trained, evaluated and compared: those of the design space, and those of timm (decision 0022)."""
