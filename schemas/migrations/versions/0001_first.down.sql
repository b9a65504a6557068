-- Back to an empty database; the cluster's roles stay.
drop table parked_delivery, lease, verdict, subject, sequence_head, record, reader_cursor, publisher_presence, partition_plan, partition_cursor, ledger, inbox, feed, destination, dead_letter, api_key cascade;
drop function ensure_partitions(integer), partition_headroom(), partition_head(text), refuse_change(),
    sees_all(), sees(text[], text[]);
revoke usage on schema public from liancheng_broker, liancheng_publisher, liancheng_api;
