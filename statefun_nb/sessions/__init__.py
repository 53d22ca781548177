"""Sessions: functions, endpoint, engine, trace and views tied together; the default one."""
