"""Who runs the trials of a table: the coordinator itself, processes, machines that join, tasks of Ray."""
