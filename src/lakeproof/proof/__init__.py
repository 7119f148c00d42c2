"""What judges data: `tables` compares ledger and stores key by key, `claims` what must hold across the stores."""
