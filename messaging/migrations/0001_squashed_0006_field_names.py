"""The tables of a new installation, in one step instead of 6.

Installations from before go on with the migrations that this one replaces.
"""

import django.db.models.deletion
import messaging.models.messages
import systemadmin.foundation.migration_operations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ("messaging", "0001_initial"),
        ("messaging", "0002_block_any_account"),
        ("messaging", "0003_erased_is_not_unread"),
        ("messaging", "0004_keep_as_before"),
        ("messaging", "0005_muted_conversations"),
        ("messaging", "0006_field_names"),
    ]

    dependencies = [
        ("systemadmin", "0024_subject_at_the_provider"),
    ]

    operations = [
        systemadmin.foundation.migration_operations.CreateModels(
            models=[migrations.CreateModel(
                name='Broadcast',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                    ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                    ('version', models.PositiveIntegerField(default=1, editable=False, verbose_name='version')),
                    ('kind', models.CharField(choices=[('information', 'Information'), ('warning', 'Warning'), ('urgent', 'Urgent'), ('promotion', 'Promotion'), ('update', 'Update')], default='information', max_length=12, verbose_name='kind')),
                    ('title', models.CharField(max_length=150, verbose_name='title')),
                    ('body', models.TextField(verbose_name='body')),
                    ('roles', models.JSONField(blank=True, default=list, verbose_name='roles')),
                    ('countries', models.JSONField(blank=True, default=list, verbose_name='countries')),
                    ('risk_levels', models.JSONField(blank=True, default=list, verbose_name='risk levels')),
                    ('is_verified', models.BooleanField(blank=True, null=True, verbose_name='verified members')),
                    ('status', models.CharField(choices=[('draft', 'Draft'), ('scheduled', 'Scheduled'), ('sending', 'Sending'), ('sent', 'Sent'), ('cancelled', 'Cancelled')], default='draft', max_length=10, verbose_name='status')),
                    ('scheduled_at', models.DateTimeField(blank=True, null=True, verbose_name='scheduled for')),
                    ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started at')),
                    ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished at')),
                    ('progress_at', models.DateTimeField(blank=True, null=True, verbose_name='last progress at')),
                    ('last_user_id', models.BigIntegerField(blank=True, null=True, verbose_name='up to member')),
                    ('reached_user_id', models.BigIntegerField(default=0, verbose_name='reached member')),
                    ('recipient_count', models.PositiveIntegerField(blank=True, null=True, verbose_name='recipients')),
                    ('delivered_count', models.PositiveIntegerField(default=0, verbose_name='delivered')),
                    ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ],
                options={
                    'verbose_name': 'broadcast',
                    'verbose_name_plural': 'broadcasts',
                    'permissions': [('send_broadcast', 'Can send, schedule and cancel broadcasts')],
                    'indexes': [models.Index(condition=models.Q(('status__in', ['scheduled', 'sending'])), fields=['status', 'scheduled_at'], name='messaging_broadcast_waiting')],
                    'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('status', 'scheduled'), _negated=True), ('scheduled_at__isnull', False), _connector='OR'), name='messaging_broadcast_scheduled_has_moment', violation_error_message='A scheduled broadcast says when.')],
                },
            ), migrations.CreateModel(
                name='Conversation',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                    ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                    ('lower', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='one member')),
                    ('higher', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='other member')),
                    ('last_seq', models.PositiveBigIntegerField(default=0, verbose_name='last sequence number')),
                    ('last_message', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='messaging.message', verbose_name='last message')),
                    ('last_message_at', models.DateTimeField(null=True, verbose_name='last message at')),
                ],
                options={
                    'verbose_name': 'conversation',
                    'verbose_name_plural': 'conversations',
                    'permissions': [('read_conversation', 'Can read a conversation around a report, with a reason')],
                    'constraints': [models.UniqueConstraint(fields=('lower', 'higher'), name='messaging_conversation_one_per_pair', violation_error_message='These two members already have a conversation.'), models.CheckConstraint(condition=models.Q(('lower__lt', models.F('higher'))), name='messaging_conversation_pair_in_order', violation_error_message='A conversation needs two different members.')],
                },
            ), migrations.CreateModel(
                name='Participant',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('conversation', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='participants', to='messaging.conversation', verbose_name='conversation')),
                    ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user')),
                    ('peer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='peer')),
                    ('last_read_seq', models.PositiveBigIntegerField(default=0, verbose_name='read up to')),
                    ('unread_count', models.PositiveIntegerField(default=0, verbose_name='unread')),
                    ('is_muted', models.BooleanField(db_default=False, default=False, verbose_name='muted')),
                    ('last_message', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='messaging.message', verbose_name='last message')),
                    ('last_activity_at', models.DateTimeField(verbose_name='last activity')),
                ],
                options={
                    'verbose_name': 'participant',
                    'verbose_name_plural': 'participants',
                    'indexes': [models.Index(condition=models.Q(('last_message__isnull', False)), fields=['user', '-last_activity_at', '-id'], name='messaging_participant_list')],
                    'constraints': [models.UniqueConstraint(fields=('conversation', 'user'), name='messaging_participant_once'), models.UniqueConstraint(fields=('user', 'peer'), name='messaging_participant_per_peer')],
                },
            ), migrations.CreateModel(
                name='Mailbox',
                fields=[
                    ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='mailbox', serialize=False, to=settings.AUTH_USER_MODEL, verbose_name='user')),
                    ('unread_count', models.PositiveIntegerField(default=0, verbose_name='unread')),
                    ('position', models.PositiveBigIntegerField(default=0, verbose_name='stream position')),
                    ('notice_due_at', models.DateTimeField(null=True, verbose_name='notice due at')),
                    ('notified_at', models.DateTimeField(null=True, verbose_name='last notice at')),
                ],
                options={
                    'verbose_name': 'mailbox',
                    'verbose_name_plural': 'mailboxes',
                    'permissions': [('erase_messages', 'Can erase everything a member wrote')],
                    'indexes': [models.Index(condition=models.Q(('notice_due_at__isnull', False)), fields=['notice_due_at'], name='messaging_mailbox_notice_due')],
                },
            ), migrations.CreateModel(
                name='Preferences',
                fields=[
                    ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                    ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                    ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='messaging_preferences', serialize=False, to=settings.AUTH_USER_MODEL, verbose_name='user')),
                    ('who_may_write', models.CharField(choices=[('everyone', 'Everyone'), ('verified', 'Verified members'), ('contacts', 'Members I have written to'), ('nobody', 'Nobody')], default='everyone', max_length=12, verbose_name='who may write')),
                    ('email_notices', models.BooleanField(default=True, verbose_name='notices by e-mail')),
                    ('telegram_notices', models.BooleanField(default=True, verbose_name='notices by Telegram')),
                    ('notice_delay_minutes', models.PositiveIntegerField(blank=True, null=True, verbose_name='notice after minutes')),
                    ('urgent_by_telegram', models.BooleanField(default=True, verbose_name='urgent broadcasts by Telegram')),
                    ('promotions', models.BooleanField(default=True, verbose_name='promotional broadcasts')),
                ],
                options={
                    'verbose_name': 'messaging preferences',
                    'verbose_name_plural': 'messaging preferences',
                },
            ), migrations.CreateModel(
                name='Message',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('conversation', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='messaging.conversation', verbose_name='conversation')),
                    ('seq', models.PositiveBigIntegerField(verbose_name='sequence number')),
                    ('sender', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='sender')),
                    ('kind', models.CharField(choices=[('member', 'Member'), ('system', 'Team'), ('broadcast', 'Broadcast')], default='member', max_length=10, verbose_name='kind')),
                    ('body', models.TextField(blank=True, verbose_name='body')),
                    ('client_id', models.CharField(blank=True, max_length=64, null=True, verbose_name='client id')),
                    ('fingerprint', models.BigIntegerField(null=True, verbose_name='fingerprint')),
                    ('created_at', models.DateTimeField(verbose_name='sent at')),
                    ('edited_at', models.DateTimeField(null=True, verbose_name='edited at')),
                    ('erased_at', models.DateTimeField(null=True, verbose_name='erased at')),
                    ('is_hidden_for_sender', models.BooleanField(default=False, verbose_name='hidden for the sender')),
                    ('is_hidden_for_recipient', models.BooleanField(default=False, verbose_name='hidden for the recipient')),
                    ('broadcast', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='messaging.broadcast', verbose_name='broadcast')),
                ],
                options={
                    'verbose_name': 'message',
                    'verbose_name_plural': 'messages',
                    'indexes': [models.Index(fields=['sender', '-created_at'], name='messaging_message_by_sender'), models.Index(fields=['created_at'], name='messaging_message_by_time')],
                    'constraints': [models.UniqueConstraint(fields=('conversation', 'seq'), name='messaging_message_seq_once'), models.UniqueConstraint(condition=models.Q(('client_id__isnull', False)), fields=('sender', 'client_id'), name='messaging_message_client_id_once', violation_error_message='A message with this client id was already sent.'), models.UniqueConstraint(condition=models.Q(('broadcast__isnull', False)), fields=('broadcast', 'conversation'), name='messaging_message_broadcast_once')],
                },
            ), migrations.CreateModel(
                name='MessageRevision',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('message', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='revisions', to='messaging.message', verbose_name='message')),
                    ('body', models.TextField(verbose_name='body')),
                    ('replaced_at', models.DateTimeField(verbose_name='replaced at')),
                ],
                options={
                    'verbose_name': 'earlier wording',
                    'verbose_name_plural': 'earlier wordings',
                    'ordering': ['id'],
                },
            ), migrations.CreateModel(
                name='Attachment',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('message', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='attachment', to='messaging.message', verbose_name='message')),
                    ('file', models.FileField(max_length=200, storage=messaging.models.messages.private_storage, upload_to='messaging/%Y/%m', verbose_name='file')),
                    ('name', models.CharField(max_length=150, verbose_name='name')),
                    ('content_type', models.CharField(max_length=100, verbose_name='content type')),
                    ('size', models.PositiveIntegerField(verbose_name='size')),
                    ('sha256', models.CharField(max_length=64, verbose_name='SHA-256')),
                ],
                options={
                    'verbose_name': 'attachment',
                    'verbose_name_plural': 'attachments',
                },
            ), migrations.CreateModel(
                name='Block',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('blocker', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='blocker')),
                    ('blocked', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='blocked')),
                    ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ],
                options={
                    'verbose_name': 'block',
                    'verbose_name_plural': 'blocks',
                    'constraints': [models.UniqueConstraint(fields=('blocker', 'blocked'), name='messaging_block_once'), models.CheckConstraint(condition=models.Q(('blocker', models.F('blocked')), _negated=True), name='messaging_block_not_oneself', violation_error_message='You cannot block yourself.')],
                },
            ), migrations.CreateModel(
                name='MessageReport',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                    ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                    ('version', models.PositiveIntegerField(default=1, editable=False, verbose_name='version')),
                    ('message', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='reports', to='messaging.message', verbose_name='message')),
                    ('conversation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='messaging.conversation', verbose_name='conversation')),
                    ('reporter', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='reporter')),
                    ('reported', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='reported member')),
                    ('reason', models.CharField(choices=[('spam', 'Spam'), ('fraud', 'Fraud or scam'), ('harassment', 'Harassment'), ('illegal', 'Illegal goods or acts'), ('other', 'Something else')], max_length=12, verbose_name='reason')),
                    ('note', models.TextField(blank=True, verbose_name='note')),
                    ('excerpt', models.JSONField(default=list, verbose_name='excerpt')),
                    ('status', models.CharField(choices=[('open', 'Open'), ('upheld', 'Upheld'), ('dismissed', 'Dismissed')], default='open', max_length=10, verbose_name='status')),
                    ('handled_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='handled by')),
                    ('handled_at', models.DateTimeField(blank=True, null=True, verbose_name='handled at')),
                    ('resolution', models.TextField(blank=True, verbose_name='resolution')),
                ],
                options={
                    'verbose_name': 'message report',
                    'verbose_name_plural': 'message reports',
                    'permissions': [('handle_messagereport', 'Can uphold or dismiss message reports')],
                    'indexes': [models.Index(condition=models.Q(('status', 'open')), fields=['created_at'], name='messaging_report_open')],
                    'constraints': [models.UniqueConstraint(condition=models.Q(('message__isnull', False)), fields=('message', 'reporter'), name='messaging_report_once_per_member', violation_error_message='You have already reported this message.'), models.CheckConstraint(condition=models.Q(('status', 'open'), ('handled_at__isnull', False), _connector='OR'), name='messaging_report_handled_has_moment', violation_error_message='A closed report says when it was closed.')],
                },
            ), migrations.CreateModel(
                name='StreamEvent',
                fields=[
                    ('pk', models.CompositePrimaryKey('user_id', 'position', blank=True, editable=False, primary_key=True, serialize=False)),
                    ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user')),
                    ('position', models.PositiveBigIntegerField(verbose_name='position')),
                    ('kind', models.CharField(choices=[('message', 'Message'), ('edited', 'Edited'), ('hidden', 'Hidden'), ('read', 'Read')], max_length=8, verbose_name='kind')),
                    ('message', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='messaging.message', verbose_name='message')),
                    ('peer', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='peer')),
                    ('reader', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='reader')),
                    ('seq', models.PositiveBigIntegerField(default=0, verbose_name='sequence number')),
                    ('created_at', models.DateTimeField(verbose_name='created at')),
                ],
                options={
                    'verbose_name': 'stream event',
                    'verbose_name_plural': 'stream events',
                    'indexes': [models.Index(fields=['created_at'], name='messaging_stream_by_time')],
                },
            ), migrations.CreateModel(
                name='Watermark',
                fields=[
                    ('name', models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name='name')),
                    ('position', models.PositiveBigIntegerField(default=0, verbose_name='position')),
                    ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ],
                options={
                    'verbose_name': 'watermark',
                    'verbose_name_plural': 'watermarks',
                },
            )],
        ),
    ]
