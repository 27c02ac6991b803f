"""Flows of one's own, made of the stages of nadir: copy one beside your own code and change it."""
