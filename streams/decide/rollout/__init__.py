"""Canaries: `plan` says which run, `rails` compares the arms, `events` tells, `course` decides."""
