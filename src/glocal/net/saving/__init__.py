"""Networks on disk and on the hub: files of tensors, a network's own file, the folder and the page that the hub expects."""
