import { type BigIntStats, statSync } from 'node:fs';

/**
 * File systems of this machine's own disks, by the number that statfs(2) gives: ext, XFS, Btrfs, tmpfs, overlay, ZFS, F2FS. On others a stat may
 * be answered from what the machine remembers of a server, or not at all.
 */
export const ownDisks = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010]);

/** Coarser than the clock by which any of them stamps files. */
export const settledNs = 100_000_000n;

/** @returns undefined where there is no such file */
export function stampOf(file: string): BigIntStats | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false });
}

/** Differs for two files, and for one before and after a change. */
export function describeStamp(stamp: BigIntStats | undefined): string {
  return stamp ? `${stamp.dev}.${stamp.ino}.${stamp.size}.${stamp.mtimeNs}.${stamp.ctimeNs}` : '-';
}
