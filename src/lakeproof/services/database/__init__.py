"""What every service's store stands on: connections, errors by their meaning, and work that is safe to try again."""
