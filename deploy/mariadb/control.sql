-- The control store's database, beside the shard's on the first server. The image runs this once, when it makes its data.
CREATE DATABASE IF NOT EXISTS rialto_control CHARACTER SET utf8mb4;
GRANT ALL ON rialto_control.* TO 'rialto'@'%';
