"""Fees of several rules, their charges per order line, and refunds that know what they give back."""

import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('marketplace', '0004_one_outbox_base'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CommissionCharge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('group', models.PositiveIntegerField()),
                ('fee_name', models.CharField(max_length=120, verbose_name='fee')),
                ('payer', models.CharField(choices=[('seller', 'Seller'), ('buyer', 'Buyer, on top of the price')], max_length=6, verbose_name='paid by')),
                ('rule_version', models.PositiveIntegerField(blank=True, null=True)),
                ('base', models.BigIntegerField(verbose_name='base')),
                ('base_shipping', models.BigIntegerField(default=0)),
                ('amount', models.BigIntegerField(verbose_name='amount')),
                ('tax', models.BigIntegerField(default=0, verbose_name='tax')),
                ('refundable', models.BigIntegerField(default=0)),
                ('volume', models.BigIntegerField(default=0)),
                ('terms', models.JSONField(default=dict)),
                ('reversed_amount', models.BigIntegerField(default=0, verbose_name='given back')),
                ('reversed_tax', models.BigIntegerField(default=0)),
            ],
            options={
                'verbose_name': 'fee of an order line',
                'verbose_name_plural': 'fees of order lines',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='CommissionFee',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('version', models.PositiveIntegerField(default=1, editable=False, verbose_name='version')),
                ('code', models.SlugField(max_length=40, unique=True, verbose_name='code')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('position', models.PositiveIntegerField(default=1, verbose_name='position')),
                ('combine', models.CharField(choices=[('first', 'the first rule that matches'), ('sum', 'the sum of all rules that match')], default='first', max_length=5, verbose_name='charged is')),
                ('payer', models.CharField(choices=[('seller', 'Seller'), ('buyer', 'Buyer, on top of the price')], default='seller', max_length=6, verbose_name='paid by')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
            ],
            options={
                'verbose_name': 'fee',
                'verbose_name_plural': 'fees',
                'ordering': ['position', 'id'],
            },
        ),
        migrations.CreateModel(
            name='FeeTaxRate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('version', models.PositiveIntegerField(default=1, editable=False, verbose_name='version')),
                ('country', models.CharField(blank=True, help_text='Two letters, as in ES. Empty means any country.', max_length=2, validators=[django.core.validators.RegexValidator('\\A[A-Z]{2}\\Z', 'A country is two capital letters.')], verbose_name='country')),
                ('tax_status', models.CharField(blank=True, choices=[('private', 'Private person'), ('business', 'Registered business')], max_length=10, verbose_name='tax status')),
                ('ppm', models.PositiveIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(1000000)], verbose_name='rate (parts per million)')),
                ('is_reverse_charge', models.BooleanField(default=False, help_text='The seller accounts for the tax, so the platform charges none.', verbose_name='reverse charge')),
            ],
            options={
                'verbose_name': 'tax on fees',
                'verbose_name_plural': 'taxes on fees',
                'ordering': ['country', 'tax_status'],
            },
        ),
        migrations.CreateModel(
            name='SellerProfile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('version', models.PositiveIntegerField(default=1, editable=False, verbose_name='version')),
                ('tax_status', models.CharField(blank=True, choices=[('private', 'Private person'), ('business', 'Registered business')], max_length=10, verbose_name='tax status')),
                ('level', models.CharField(blank=True, help_text='A word of your own that rules can look at, such as “gold”.', max_length=40, validators=[django.core.validators.RegexValidator('\\A[a-z0-9_-]*\\Z', 'Lower-case letters, digits, - and _.')], verbose_name='level')),
            ],
            options={
                'verbose_name': 'seller',
                'verbose_name_plural': 'sellers',
            },
        ),
        migrations.RemoveConstraint(
            model_name='commissionrule',
            name='mp_rule_amounts_need_currency',
        ),
        migrations.RemoveConstraint(
            model_name='orderline',
            name='mp_line_total_adds_up',
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='countries',
            field=models.JSONField(blank=True, default=list, help_text='Two letters each.', verbose_name="seller's countries"),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='include_item',
            field=models.BooleanField(default=True, verbose_name='charged on the price'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='include_platform_discount',
            field=models.BooleanField(default=True, verbose_name="charged on the platform's discount too"),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='levels',
            field=models.JSONField(blank=True, default=list, verbose_name="seller's levels"),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='line_below',
            field=models.BigIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(10000000000000)], verbose_name='line amount below'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='line_from',
            field=models.BigIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(10000000000000)], verbose_name='line amount from'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='on_refund',
            field=models.CharField(choices=[('proportional', 'goes back in proportion'), ('recalculate', 'is charged anew on what was kept'), ('keep', 'is kept')], default='proportional', max_length=12, verbose_name='on a refund the fee'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='per',
            field=models.CharField(choices=[('unit', 'per unit'), ('line', 'per order line'), ('order', 'per order')], default='line', help_text='Rate, tiers, minimum, maximum and rounding apply to each of these.', max_length=5, verbose_name='charged'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='rounding',
            field=models.CharField(choices=[('half_up', 'half up'), ('half_even', 'half to even'), ('down', 'down'), ('up', 'up')], default='half_up', max_length=9, verbose_name='rounding'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='tax_by_seller',
            field=models.BooleanField(default=False, help_text='Read from the taxes on fees instead of the rate above.', verbose_name="tax by the seller's country and status"),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='tax_statuses',
            field=models.JSONField(blank=True, default=list, verbose_name="seller's tax statuses"),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='tiers_by',
            field=models.CharField(choices=[('amount', 'the amount charged on'), ('volume', 'the volume of earlier sales')], default='amount', max_length=6, verbose_name='tiers by'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='tiers_mode',
            field=models.CharField(choices=[('marginal', 'each part at its own rate'), ('whole', 'the whole amount at one rate')], default='marginal', max_length=8, verbose_name='tiers charge'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='unit_below',
            field=models.BigIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(10000000000000)], verbose_name='unit price below'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='unit_from',
            field=models.BigIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(10000000000000)], verbose_name='unit price from'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='volume_below',
            field=models.BigIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(10000000000000)], verbose_name='volume below'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='volume_between',
            field=models.CharField(choices=[('seller', 'all sales of the seller'), ('pair', 'sales between seller and buyer')], default='seller', max_length=6, verbose_name='volume between'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='volume_from',
            field=models.BigIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(10000000000000)], verbose_name='volume from'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='volume_measure',
            field=models.CharField(choices=[('amount', 'their amount'), ('orders', 'their number')], default='amount', max_length=6, verbose_name='volume counts'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='volume_window',
            field=models.CharField(blank=True, choices=[('', 'not looked at'), ('month', 'this calendar month'), ('quarter', 'this quarter'), ('year', 'this calendar year'), ('30d', 'the last 30 days'), ('365d', 'the last 365 days'), ('lifetime', 'all time')], max_length=8, verbose_name='volume of'),
        ),
        migrations.AddField(
            model_name='order',
            name='buyer_fee',
            field=models.BigIntegerField(default=0, verbose_name="buyer's fees"),
        ),
        migrations.AddField(
            model_name='order',
            name='refunded_buyer_fee',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='buyer_fee',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='buyer_fee_tax',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='discount',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='refunded_buyer_fee',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='refunded_buyer_fee_tax',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='refunded_quantity',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='refunded_shipping',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='restocked_quantity',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='tax_included',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='product',
            name='tax_ppm',
            field=models.PositiveIntegerField(default=0, help_text='210000 is 21 %. Price and shipping are what the buyer pays, tax included.', validators=[django.core.validators.MaxValueValidator(1000000)], verbose_name='sales tax included in the price (parts per million)'),
        ),
        migrations.AddField(
            model_name='refund',
            name='buyer_fee',
            field=models.BigIntegerField(default=0, verbose_name="of which the buyer's fees"),
        ),
        migrations.AddField(
            model_name='refund',
            name='shipping',
            field=models.BigIntegerField(default=0, verbose_name='of which shipping'),
        ),
        migrations.AddField(
            model_name='refundline',
            name='buyer_fee',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='refundline',
            name='buyer_fee_tax',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='refundline',
            name='quantity',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='refundline',
            name='restocked',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='refundline',
            name='shipping',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='commissionrule',
            name='fixed_per',
            field=models.CharField(choices=[('unit', 'per unit'), ('line', 'per order line'), ('order', 'per order')], default='unit', max_length=5, verbose_name='fixed amount'),
        ),
        migrations.AlterField(
            model_name='commissionrule',
            name='tiers',
            field=models.JSONField(blank=True, default=list, help_text='[[lower bound, rate], …]', verbose_name='tiers'),
        ),
        migrations.AddConstraint(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('unit_price'), '*', models.F('quantity')), '-', models.F('discount')), '+', models.F('shipping')), '+', models.F('buyer_fee')))), name='mp_line_total_adds_up', violation_error_message="A line's total is price × quantity - discount + shipping + the buyer's fees."),
        ),
        migrations.AddConstraint(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('buyer_fee_tax__gte', 0), ('buyer_fee_tax__lte', models.F('buyer_fee')), ('discount__gte', 0), ('discount__lte', django.db.models.expressions.CombinedExpression(models.F('unit_price'), '*', models.F('quantity'))), ('tax_included__gte', 0), ('tax_included__lte', models.F('total'))), name='mp_line_parts_within_total', violation_error_message="Discount, tax and fees lie within the line's total."),
        ),
        migrations.AddConstraint(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('refunded_buyer_fee__gte', 0), ('refunded_buyer_fee__lte', models.F('buyer_fee')), ('refunded_quantity__lte', models.F('quantity')), ('refunded_shipping__gte', 0), ('refunded_shipping__lte', models.F('shipping')), ('restocked_quantity__lte', models.F('refunded_quantity'))), name='mp_line_refunded_parts_within_line', violation_error_message='No more of a part is refunded than there was.'),
        ),
        migrations.AddConstraint(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('tax_ppm__lte', 1000000)), name='mp_product_tax_within_whole', violation_error_message='A rate lies between 0 and 1,000,000.'),
        ),
        migrations.AddField(
            model_name='commissioncharge',
            name='line',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='marketplace.orderline'),
        ),
        migrations.AddField(
            model_name='commissioncharge',
            name='rule',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='marketplace.commissionrule'),
        ),
        migrations.AddField(
            model_name='commissioncharge',
            name='fee',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='marketplace.commissionfee'),
        ),
        migrations.AddField(
            model_name='commissionrule',
            name='fee',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='rules', to='marketplace.commissionfee', verbose_name='fee'),
        ),
        migrations.AddConstraint(
            model_name='commissionrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('currency', ''), _negated=True), models.Q(('fixed', 0), ('line_below__isnull', True), ('line_from__isnull', True), ('maximum__isnull', True), ('minimum__isnull', True), ('refund_fee_maximum__isnull', True), ('unit_below__isnull', True), ('unit_from__isnull', True), ('value_below__isnull', True), ('value_from__isnull', True)), _connector='OR'), name='mp_rule_amounts_need_currency', violation_error_message='A rule that names an amount must name its currency.'),
        ),
        migrations.AddConstraint(
            model_name='commissionrule',
            constraint=models.CheckConstraint(condition=models.Q(('line_from__isnull', True), ('line_below__isnull', True), ('line_from__lt', models.F('line_below')), _connector='OR'), name='mp_rule_lines_in_order', violation_error_message='“From” must be lower than “below”.'),
        ),
        migrations.AddConstraint(
            model_name='commissionrule',
            constraint=models.CheckConstraint(condition=models.Q(('unit_from__isnull', True), ('unit_below__isnull', True), ('unit_from__lt', models.F('unit_below')), _connector='OR'), name='mp_rule_units_in_order', violation_error_message='“From” must be lower than “below”.'),
        ),
        migrations.AddConstraint(
            model_name='commissionrule',
            constraint=models.CheckConstraint(condition=models.Q(('volume_from__isnull', True), ('volume_below__isnull', True), ('volume_from__lt', models.F('volume_below')), _connector='OR'), name='mp_rule_volumes_in_order', violation_error_message='“From” must be lower than “below”.'),
        ),
        migrations.AddConstraint(
            model_name='commissionrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('volume_window', ''), _negated=True), models.Q(('tiers_by', 'amount'), ('volume_below__isnull', True), ('volume_from__isnull', True)), _connector='OR'), name='mp_rule_volume_has_window', violation_error_message='Say over which period the volume is counted.'),
        ),
        migrations.AddConstraint(
            model_name='commissionrule',
            constraint=models.CheckConstraint(condition=models.Q(('fixed', 0), ('per', 'order'), models.Q(('fixed_per__in', ['line', 'unit']), ('per', 'line')), models.Q(('fixed_per', 'unit'), ('per', 'unit')), _connector='OR'), name='mp_rule_fixed_within_unit', violation_error_message='The fixed amount cannot count less often than the rule is charged.'),
        ),
        migrations.AddConstraint(
            model_name='commissionrule',
            constraint=models.CheckConstraint(condition=models.Q(('include_item', True), ('include_shipping', True), _connector='OR'), name='mp_rule_charged_on_something', violation_error_message='A rule is charged on the price, on shipping, or both.'),
        ),
        migrations.AddConstraint(
            model_name='feetaxrate',
            constraint=models.UniqueConstraint(fields=('country', 'tax_status'), name='mp_fee_tax_once', violation_error_message='There is a rate for this country and status already.'),
        ),
        migrations.AddConstraint(
            model_name='feetaxrate',
            constraint=models.CheckConstraint(condition=models.Q(('ppm__lte', 1000000), models.Q(('is_reverse_charge', False), ('ppm', 0), _connector='OR')), name='mp_fee_tax_rate_or_reverse_charge', violation_error_message='A reverse charge has no rate.'),
        ),
        migrations.AddField(
            model_name='sellerprofile',
            name='user',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='seller_profile', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='commissioncharge',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 0), ('refundable__gte', 0), ('refundable__lte', models.F('amount')), ('reversed_amount__gte', 0), ('reversed_amount__lte', models.F('amount')), ('reversed_tax__gte', 0), ('reversed_tax__lte', models.F('tax')), ('tax__gte', 0)), name='mp_charge_reversal_within_amount', violation_error_message='No more of a fee goes back than was charged.'),
        ),
        migrations.AddConstraint(
            model_name='commissioncharge',
            constraint=models.CheckConstraint(condition=models.Q(('base_shipping__gte', 0), ('base_shipping__lte', models.F('base')), models.Q(('payer', 'buyer'), ('amount__lte', models.F('base')), _connector='OR')), name='mp_charge_within_base', violation_error_message='A commission lies between nothing and its base.'),
        ),
    ]
