"""From a sample of a table's rows to the settings that fit it. Pure: whoever calls asks AWS."""
