"""What tools/gen_manual.py writes: man pages, completions and pages of docs/, from what the sources say."""
