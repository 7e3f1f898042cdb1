"""Full configurations, one YAML file each."""
