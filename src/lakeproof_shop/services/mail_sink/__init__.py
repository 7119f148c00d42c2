"""The providers' receiving end on this machine: mail by SMTP, webhooks by HTTP; it delivers nothing."""
