"""The alphabet: what each op leaves, learns and multiplies, by what it does to positions. What an op is stands in `design.op`."""
