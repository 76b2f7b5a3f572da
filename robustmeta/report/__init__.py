"""Records to tables, plots and one self-contained HTML file; nothing here computes a result."""
