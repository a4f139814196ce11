"""Full text: terms out of text, BM25 over their postings, fusion of rankings. Pure; where postings lie is storage's."""
