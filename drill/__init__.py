"""Faults put into the user's own data, recipe and bundle, one at a time: does the gate catch them?"""
