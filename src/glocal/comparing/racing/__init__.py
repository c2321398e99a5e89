"""Races of arms: who goes on to more epochs and who goes, decided from paired predictions. Nothing here trains."""
