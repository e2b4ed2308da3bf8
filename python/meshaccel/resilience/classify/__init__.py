"""What the errors of each library mean, as tables. They name classes, and import no library."""
