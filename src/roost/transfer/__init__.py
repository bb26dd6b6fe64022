"""Data between a folder and a prefix in S3: checked, resumable, and nothing left half done.

``plan`` is pure: two listings give what to do. ``engine`` does it, through ``s3`` (Amazon's own
client, in C) and ``local`` (files that appear whole or not at all).
"""
