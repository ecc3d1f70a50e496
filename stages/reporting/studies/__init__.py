"""The page that joins all kept studies, computed from their files alone."""
