"""What every service's store uses: connections, errors by their meaning, and work that is safe to try again."""
