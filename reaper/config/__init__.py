"""From the environment to the rules: settings, how they are read, and what is wrong with them."""
