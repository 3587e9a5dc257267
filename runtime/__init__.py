"""The process: settings, clock, pools, broker, telemetry, migrations, embedded servers."""
