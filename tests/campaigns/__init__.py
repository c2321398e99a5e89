"""Campaigns: glocal under faults, attacks and load. Figures: docs/reliability.md. GLOCAL_TRIES sets how often they try."""
