"""Architecture search: candidates proposed, evaluated by weights they share, and kept in a table that outlives a kill."""
