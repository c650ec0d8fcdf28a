"""Tests of powershare-http."""
