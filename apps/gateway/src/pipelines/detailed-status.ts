import { ApiProperty } from '@nestjs/swagger';
import type { Status } from '#libs/contracts';

/** How a status is shown (trigger-api.md §4.4). */
export class DetailedStatus {
  @ApiProperty() icon!: string;
  @ApiProperty() text!: string;
  @ApiProperty() label!: string;
  @ApiProperty() group!: string;
  @ApiProperty() tooltip!: string;
  @ApiProperty() has_details!: boolean;
  @ApiProperty() details_path!: string;
  @ApiProperty({ type: 'object', nullable: true, additionalProperties: true }) illustration!: null;
  @ApiProperty() favicon!: string;
}

type Shown = Status | 'success_with_warnings';

/** Icon, text, label, group. */
const table: Record<Shown, readonly [icon: string, text: string, label: string, group: string]> = {
  created: ['status_created', 'Created', 'created', 'created'],
  waiting_for_resource: ['status_pending', 'Waiting', 'waiting for resource', 'waiting-for-resource'],
  preparing: ['status_preparing', 'Preparing', 'preparing', 'preparing'],
  waiting_for_callback: ['status_pending', 'Waiting', 'waiting for callback', 'waiting-for-callback'],
  pending: ['status_pending', 'Pending', 'pending', 'pending'],
  running: ['status_running', 'Running', 'running', 'running'],
  success: ['status_success', 'Passed', 'passed', 'success'],
  success_with_warnings: ['status_warning', 'Warning', 'passed with warnings', 'success-with-warnings'],
  failed: ['status_failed', 'Failed', 'failed', 'failed'],
  canceling: ['status_canceled', 'Canceling', 'canceling', 'canceling'],
  canceled: ['status_canceled', 'Canceled', 'canceled', 'canceled'],
  skipped: ['status_skipped', 'Skipped', 'skipped', 'skipped'],
  manual: ['status_manual', 'Blocked', 'waiting for manual action', 'manual'],
  scheduled: ['status_scheduled', 'Delayed', 'waiting for delayed job', 'scheduled'],
};

/** @param path of the thing's page, without the host */
export function detailedStatus(status: Status, warnings: boolean, path: string): DetailedStatus {
  const [icon, text, label, group] = table[status === 'success' && warnings ? 'success_with_warnings' : status];
  return {
    icon,
    text,
    label,
    group,
    tooltip: label,
    has_details: true,
    details_path: path,
    illustration: null,
    favicon: `/assets/ci_favicons/favicon_${icon}.png`,
  };
}
