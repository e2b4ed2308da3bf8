"""Agents as a registry knows them, kept up to date by what changed."""
