"""How documents say things: labels and sentences for every role, and the split that keeps some out of training.

A *wording* is one label ("Bill ref") or one sentence pattern ("Please settle {total} by {due_date}."), with its
alternatives in brackets. `LABELS` and `SENTENCES` are written here; `known` and `unseen` divide them by checksum, at least
one in six held out for every role. Invariant: no label is on both sides, whatever its case; a sentence
pattern is held out with all its alternatives. Held by tests/test_embedded.py.
"""

from __future__ import annotations

import re
import zlib
from functools import cache
from random import Random

KINDS = ("invoice", "contact", "order", "incident")

# kind -> role -> labels; brackets hold alternatives, an empty alternative is allowed
LABELS: dict[str, dict[str, str]] = {
    "invoice": {
        "invoice_number": """[Invoice|Inv|Bill|Tax invoice|Document|Our] [number|no.|no|#|ID|ref|reference|nr.|code]; Invoice;
            [Number|Reference|Ref|No.] of [invoice|bill|this invoice|this document]; [Ref|Reference|Number|Our reference|Your bill]; Billing [number|reference|ID];
            Quote this number; Rechnung no.; Voucher [number|no.]; Statement [number|no.]""",
        "invoice_date": """[Invoice|Bill|Issue|Document|Billing|Issuing|Tax] date; Date; Date of [issue|invoice|billing|this invoice|issuing|the bill]; Issued;
            Issued on; Dated; Created on; Written on; Billed on; Invoiced on; Date issued; Drawn up on; Made out on; Day of issue; Invoice of; [Date billed|Date invoiced]; Sent on""",
        "due_date": """Due; Due date; Due on; Due by; Payment due; Payment due [date|on|by]; Pay by; Pay before; Payable by; Payable until; Payment deadline;
            Deadline; Deadline for payment; Payment term ends; To be paid by; Settle by; Last day to pay; Latest payment; Please pay until; Please pay by; Payment
            expected by; Balance due on; Term; Due for payment; Payment not later than; Date due; Must be paid by""",
        "vendor": """Vendor; Seller; Supplier; From; Issuer; Issued by; Billed by; Biller; Company; Sold by; Invoice from; Sender; Provider; Payee; Pay to;
            Payable to; Service provider; Supplier name; Vendor name; Seller name; Name of supplier; Supplied by; Creditor; Merchant; Name of vendor; Bill from;
            Delivered by; Contractor; Remit to; Charged by; Our company; Invoicing company""",
        "customer": """Customer; Client; Buyer; Bill to; Billed to; Invoice to; To; Sold to; Recipient; Customer name; Client name; Name of customer;
            Purchaser; Charge to; Debtor; Payer; Invoice recipient; Account holder; Buyer name; For; Invoiced to; Attention; Name of client; Addressed to;
            Paying party; Charged to; Name of buyer; Made out to; Billing contact; Prepared for""",
        "total": """Total; Total amount; Amount due; Grand total; Total due; Amount payable; Balance due; Amount; To pay; Sum; Total sum; Invoice total; Total to pay;
            Total payable; Amount to pay; Final amount; Payable; Gross total; Gross amount; Invoice amount; Balance; Total price; Total incl. tax; Total including
            VAT; Outstanding; Amount owed; Total charge; Please pay; Sum due; Bill total; Sum total; You owe; Final sum; Overall total; Total owed; Billed amount""",
        "tax": """Tax; VAT; Tax amount; VAT amount; Sales tax; GST; Of which tax; Including VAT; Thereof tax; Taxes; Tax included; VAT included; Value added tax;
            Plus tax; Total tax; Total VAT; Tax total; Tax charged; Of which VAT; Amount of tax; Tax portion; VAT charged; Turnover tax; Plus VAT; Tax due""",
        "currency": """Currency; Currency code; In; Billing currency; Invoice currency; Paid in; Payment currency; All amounts in; Amounts in; Prices in; Cur.; Money
            unit; Stated in; Currency used; Currency of payment; Currency of invoice; All prices in; All sums in; Payable in; Settlement currency""",
        "status": """Status; State; Payment status; Invoice status; Payment state; Current status; Condition; Payment; Status of payment; Status of invoice; Bill status;
            Marked; Marked as; Flag; Present status; Bookkeeping status; Account status; Stage; Settlement""",
        "purchase_order": """PO; PO number; PO no.; Purchase order; P.O. number; Order reference; Your order; Customer PO; Purchase order [number|no.|ID]; Your PO;
            Order number; Buyer reference; Based on order; Your reference; PO ref; PO #; Your purchase order; Relating to order; Ordered under; Against order; Order ref""",
        "iban": """IBAN; Account; Bank account; Account number; Account no.; Pay into; Transfer to; Bank; Account IBAN; Our IBAN; Payment account; Our account; Bank
            details; Beneficiary account; Credit account; IBAN number; Remit into; Wire to; Our bank account; Deposit to account""",
    },
    "contact": {
        "name": """Name; Full name; Contact; Contact name; Contact person; Person; Your contact; Name of contact; Ask for; Card of; Employee; Staff member;
            Representative; Your representative; First and last name; Spokesperson; Colleague; Member; Complete name; Name in full; Point of contact; Holder; Card holder; Called""",
        "title": """Title; Job title; Position; Role; Job; Occupation; Function; Profession; Works as; Job role; Current role; Designation; Current position; Post;
            Duty; Rank; Job description; Employed as; Capacity; Position held; Responsible as; Active as; Job position; Office held""",
        "company": """Company; Employer; Organisation; Organization; Firm; Works for; Works at; Company name; Business; Affiliation; Employed by; Employed at; Name
            of company; Workplace; Institution; Corporation; Enterprise; Firm name; Org; Place of work; Represents; On behalf of; Name of firm; Business name""",
        "department": """Department; Dept; Dept.; Unit; Division; Team; Section; Business unit; Area; Branch; Desk; Group; Organisational unit; Belongs to; Part of; Name
            of department; Sits in; Works in; Assigned to; Office""",
        "email": """Email; E-mail; Mail; Email address; E-mail address; Mail address; Electronic mail; Write to; Contact email; Work email; eMail; Mailbox; Reach by mail;
            Business email; Address for mail; Office email; Mail to; Inbox; Primary email; Send mail to; Company email; Send messages to""",
        "phone": """Phone; Tel; Tel.; Telephone; Phone number; Telephone number; Call; Office phone; Work phone; Direct line; Direct; Line; Phone no.; Landline; Call
            at; Tel no.; Ring; Phone (office); Number to call; Business phone; Switchboard; Direct dial; Dial; Reachable at""",
        "mobile": """Mobile; Cell; Cell phone; Mobile number; Mobile phone; Cellphone; Mob; Mob.; Handy; Cell number; Mobile no.; On the road; Text to; SMS; Smartphone; Mobile
            line; Phone (mobile); Pocket phone; Handheld; Cell no.""",
        "website": """Website; Web; Homepage; Web site; Site; URL; Internet; Web page; Online; Home page; Web address; On the web; WWW; Internet address; Site address;
            Link; Website address; Company website; Visit; Online at""",
        "street": """Street; Street address; Address; Address line; Road; Street and number; Address line 1; Postal address; Office address; Street line; Visiting
            address; Located at; Lives at; Premises; Residence; Location; House; Mailing address; Delivery point; Street no.""",
        "city": """City; Town; Place; City name; Municipality; Located in; Based in; Town name; Home town; Locality; City of residence; Post town; Village; Town or city; Lives
            in; Urban area; Name of city; Community; Town/City; Settlement""",
        "postcode": """Postcode; Postal code; Zip; ZIP code; Zip code; Post code; ZIP; PLZ; Postal no.; Area code; Postal number; Code postal; Mail code; Zip/Postal code; Post
            code no.; City code; Delivery code; P.C.; Zip no.; District code""",
        "country": """Country; Land; Nation; State; Country name; Country of residence; Home country; Region; Nationality; Name of country; Country of origin; Resident in;
            Nation state; Territory; Destination country; From country; Country (full); Located in country""",
    },
    "order": {
        "order_number": """Order number; Order no.; Order no; Order #; Order; Order ID; Order ref; Order reference; Your order; Sales order; SO number; Order code; Ref; Reference;
            Number of order; Purchase number; Reference of order; Order nr.; Confirmation number; Booking number; Purchase reference; Order confirmation; Shop order; Purchase ID;
            Transaction; Transaction number; Web order""",
        "customer": """Customer; Buyer; Client; Ordered by; Customer name; Placed by; Name; Purchaser; Ship to; Deliver to; Recipient; Sold to; Bought by; For; Consignee;
            Name of customer; Account name; Shopper; Order for; Client name; Receiver; Orderer; Buyer name; Person ordering; Goes to; Purchased by; Delivery to""",
        "item": """Item; Product; Article; Goods; Description; Item name; Product name; What; Ordered item; Merchandise; Material; Item description; Article name; Product
            description; Content; Contents; Position; Part; Name of item; Thing ordered; Line item; Ware; Ordered product; Ordered goods; Name of product""",
        "quantity": """Quantity; Qty; Qty.; Amount; Pieces; Units; Count; Number of units; Number of pieces; Pcs; How many; Quantity ordered; Ordered quantity; No. of items; Item
            count; Volume; Number; Units ordered; Number of items; Pieces ordered; Total units; Times; Order quantity; Total pieces""",
        "price": """Price; Unit price; Price per unit; Price each; Cost; Price per piece; Each; Item price; Cost per unit; Per unit; Per piece; Single price; Rate; Charge;
            Unit cost; Piece price; Net price; List price; Cost each; Sales price; Price of one; Article price; Cost per piece; Price a piece""",
        "order_date": """Order date; Date of order; Ordered on; Placed on; Date; Ordered; Date ordered; Purchase date; Order placed; Order placed on; Bought on; Order day; Date of
            purchase; Received on; Booked on; Order received; Purchased on; Order entered; Day of order; Order made on; Order created""",
        "delivery_date": """Delivery date; Deliver by; Delivery; Expected delivery; Arrival; Arrives; Ship date; Expected on; Delivery on; Estimated delivery; Estimated arrival;
            ETA; Due date; Delivery expected; Arrives on; Delivered on; Date of delivery; Arrival date; Planned delivery; Delivery day; Wanted by; Requested date; Needed by; Scheduled
            delivery; Delivery due""",
        "carrier": """Carrier; Shipped with; Shipped by; Courier; Shipper; Delivery service; Shipping company; Forwarder; Transport; Delivered by; Shipped via; Via; Sent with;
            Freight company; Parcel service; Haulier; Transported by; Transporter; Sent by; Freight forwarder; Carried by""",
        "tracking": """Tracking; Tracking number; Tracking no.; Tracking ID; Tracking code; Track; Parcel number; Shipment number; Consignment; Shipment ID; Waybill; Track with; Parcel
            code; Trace number; Package number; Consignment number; Track and trace; Shipment code; Parcel ID; Package ID""",
        "city": """City; Destination; Ship to city; Delivery city; Deliver to city; Town; Place of delivery; Ship-to city; Going to; Delivery place; Delivery town; Destination city; To city;
            Drop-off; Target city; City of delivery; Place; Town of delivery; Arrival city""",
        "shipping": """Shipping; Shipping method; Delivery method; Delivery type; Method; Shipping mode; Service; Ship mode; Dispatch; Ship method; Mode; Delivery mode; Shipment type; Mode
            of delivery; Way of shipping; Mode of transport; Dispatch method; Kind of delivery; Shipping option""",
        "status": """Status; State; Order status; Order state; Current status; Progress; Stage; Status of order; Processing status; Situation; Present state; Order stage; Fulfilment;
            Fulfilment status; Now; Condition; Handling status; Latest status""",
    },
    "incident": {
        "incident_id": """Incident; Incident ID; Incident number; Incident no.; Ticket; Ticket number; Ticket ID; Case; Case number; Ref; Reference; ID; Incident #; Report number; Report; Event
            ID; Issue; Issue number; Case ID; Number; Incident reference; Record; Ticket no.; Event number; Incident code; Case reference; Log number; Trouble ticket""",
        "service": """Service; System; Affected service; Affected system; Component; Affected; Application; Product; What failed; Impacted service; Failing system; Service affected; System
            affected; Where; Failed component; Impacted system; Subject; Service name; Name of service; Impacted component; System concerned; Broken system""",
        "severity": """Severity; Priority; Level; Impact; Sev; Severity level; Urgency; Class; Classification; Prio; Criticality; Incident level; Rated; Rating; Grade; Impact level; Priority
            level; Degree; Gravity; Ranked; Weight; Seriousness""",
        "started": """Started; Start; Began; Start time; Begin; Started at; Detected; Detected at; Since; First seen; Time; Time of incident; Onset; Occurred; Occurred at; Opened; Opened at; Begin
            of outage; Beginning; Noticed at; First noticed; Went down at; Time of start; Happened at; Start of incident; Outage start; Down since""",
        "resolved": """Resolved; Resolved at; End; Ended; End time; Fixed at; Finished; Closed at; Restored; Restored at; Until; Back at; Recovered; Recovered at; Solved at; Over at; Service
            back; Up again; Fixed; Time of resolution; Resolution time; Outage end; Cleared at; Back to normal; End of outage; Repaired at""",
        "reporter": """Reporter; Reported by; Raised by; Opened by; Author; Filed by; Submitted by; Written by; Noticed by; Discovered by; Logged by; Informant; Reported from; Detected by;
            Observer; Entered by; Created by; Name of reporter; Announced by; Witness; Spotted by; Caller; Found by""",
        "assignee": """Assignee; Assigned to; Owner; Handled by; Engineer; Responsible; Responsible person; In charge; On call; Incident lead; Worked on by; Owned by; Incident manager; Fixed by;
            Technician; Person in charge; Agent; Lead; Resolver; Taken by; On duty; Given to; Person responsible; Incident commander; Solved by""",
        "cause": """Cause; Root cause; Reason; Due to; Caused by; Why; Cause of failure; Origin; Trigger; Triggered by; Explanation; Underlying cause; Reason for outage; Probable cause;
            Diagnosis; Traced to; Source; Because of; Source of trouble; Actual cause; Finding; Fault; Reason found; Result of analysis""",
        "action": """Action; Action taken; Fix; Resolution; Measure; Remedy; Solution; Measures taken; What was done; Steps taken; Response; Mitigation; Workaround; Correction; Repair; Corrective
            action; Fix applied; Countermeasure; How fixed; Treatment; Step taken; Reaction; Fixed how; Repair work; Cure""",
        "affected_users": """Affected users; Users affected; Users; Impacted users; Number of users; Number of affected users; Users hit; People affected; Customers affected; Affected customers;
            User count; Victims; Impacted customers; Users impacted; Number of people affected; How many users; Accounts affected; Clients affected; Persons affected; Users concerned""",
        "status": """Status; State; Current status; Incident status; Ticket status; Current state; Progress; Condition; Stage; Phase; Ticket state; Case status; Now; Situation; Present status;
            Status of ticket; Latest status; Status of incident; State of work""",
        "location": """Location; Place; Site; Where; Located at; Facility; Scene; Building; Area; Position; Place of incident; Incident location; At; Office; Spot; Site of incident; Happened in;
            Room; Found at; Local site; Premises""",
        "duration": """Duration (min); Minutes; Downtime in minutes; Duration in minutes; Outage minutes; Minutes down; Length in minutes; Lasted (minutes); Downtime (min); Minutes lost; Total
            minutes; Outage length (min); Time down (min); Minutes of outage; Minutes offline; Elapsed minutes; Minutes of downtime""",
    },
}

# kind -> sentence patterns, one a line
SENTENCES: dict[str, str] = {
    "invoice": """
[Please find|You will find|We send you] [enclosed|attached|herewith] invoice {invoice_number} [dated|of|from] {invoice_date}.
[This is|Here is] [invoice|bill] [number|no.|] {invoice_number}.
[Invoice|Bill] {invoice_number} was [issued|written|created] on {invoice_date} by {vendor}.
{vendor} [sent|issued|wrote] [invoice|bill] {invoice_number} to {customer}.
The [invoice|bill] carries the number {invoice_number}.
[Please quote|Please mention|Always state] {invoice_number} [with your payment|in all letters|when you pay].
Your invoice has the reference {invoice_number}.
We have booked this under [invoice|number] {invoice_number}.
It was [issued|dated|drawn up] on {invoice_date}.
The date of [issue|the invoice|the bill] is {invoice_date}.
We [wrote|issued|made out] this [bill|invoice] on {invoice_date}.
[Dear|Hello] {customer}, [please find our invoice below|thank you for your order|here is your bill].
[Please pay|Kindly pay|We ask you to pay] {total} {currency} [by|before|until] {due_date}.
[Please transfer|Kindly transfer|Please send] {total} [by|before|no later than] {due_date}.
Payment is [due|expected] [on|by|until] {due_date}.
The [amount|sum|bill] [is payable|is due|must be paid|has to be settled] [by|on|before] {due_date}.
The [payment deadline|due date|last day for payment] is {due_date}.
[We expect|We look forward to] your payment [by|before] {due_date}.
You have [time|until] {due_date} to [pay|settle] it.
The [total|total amount|amount due|grand total|sum] is {total}.
The [total|invoice total|sum] [comes to|amounts to|adds up to] {total} {currency}.
You owe [us|] {total} {currency}.
We [charge|bill|invoice] you {total} [in total|altogether|overall].
In [total|all|sum] this makes {total} {currency}.
A [sum|total|balance] of {total} {currency} is [due|outstanding|open].
[This|It|The sum] includes {tax} [of tax|in taxes|of VAT|VAT].
[Tax|VAT|Sales tax] [makes up|accounts for] {tax} of [it|the total].
The [tax|VAT] [is|comes to|amounts to] {tax}.
Of [this|that|the total], {tax} [is|are] [tax|VAT].
[All amounts|All prices|The amounts] are [in|stated in|given in] {currency}.
The currency is {currency}.
Payment is [made|accepted|taken] in {currency}.
The [seller|vendor|supplier|issuer] is {vendor}.
[Goods|Services|The goods] were [supplied|delivered|provided] by {vendor}.
{vendor} [bills|charges|invoices] {customer} for [the work done|services|goods delivered].
[Kind regards|Yours sincerely|Best regards], {vendor}.
This bill [comes from|was sent by|is from] {vendor}.
You [bought|ordered] [this|these goods] from {vendor}.
The [customer|buyer|client] is {customer}.
[Billed|Invoiced|Charged] to {customer}.
It is [addressed|made out|sent] to {customer}.
The [goods|services] went to {customer}.
{customer} [has to pay|owes|must pay] {total} {currency}.
The invoice is [currently|now|still] {status}.
[Status|State] of the [bill|payment]: {status}.
[Our books show|We have marked] this invoice as {status}.
[It|This] [refers|relates] to [purchase order|order|PO] {purchase_order}.
Your [purchase order|PO|order] was {purchase_order}.
[Based on|According to] your order {purchase_order}.
The [matching|related] purchase order is {purchase_order}.
[Please transfer|Pay|Send] the money to [account|IBAN] {iban}.
Our [bank account|IBAN|account] is {iban}.
[Use|Please use] [account|the account] {iban} for your payment.
The [sum|amount] goes to the account {iban}.
""",
    "contact": """
{name} [works as|is|is employed as] {title} at {company}.
{name} is [the|our|their] {title}.
[My name is|I am|This is] {name}.
[You can reach|You reach|Contact] {name} [at|under|on] {phone}.
[Please contact|Please ask for|Get in touch with] {name}.
Your contact [person|] is {name}.
[Meet|Say hello to] {name} from {company}.
{name} [joined|works for|represents] {company}.
I [spoke|talked] [to|with] {name} [today|yesterday|last week].
[She|He] [works as|is employed as|serves as] {title}.
[Her|His|The] [job|position|role|job title] is {title}.
[She|He] [holds|has] the [post|position] of {title}.
[As|Being] {title}, [she|he] [leads a small team|looks after clients|travels a lot].
[She|He] [works for|works at|is employed by|is with] {company}.
The [company|firm|employer] is [called|] {company}.
[Her|His] employer is {company}.
[She|He] [belongs to|sits in|is part of] the {department} [department|team|unit].
The department is {department}.
[She|He] [works|has a desk] in {department}.
[Send|Write] [an email|a mail|a message] to {email}.
[Her|His|The] [email|e-mail|mail address] is {email}.
[Mail|Email] {email} [for questions|any time|to get in touch].
[She|He] reads mail [at|sent to] {email}.
[Call|Ring|Phone] {phone} [during office hours|in the morning|before noon].
[Her|His|The] [phone|phone number|office number|telephone number] is {phone}.
[By phone|On the phone], [she|he] answers [at|on|under] {phone}.
[Her|His] [mobile|cell phone|mobile number] is {mobile}.
On the road, [try|call|use] the mobile {mobile}.
[Text|Send an SMS to] {mobile}.
[The|Their] [website|homepage|web page] is {website}.
[Visit|See|Look at] {website} [for more|for details|online].
More is [found|told] [on|at] {website}.
[The office|The firm|She|He] [is located|is based|sits] at {street}, {postcode} {city}.
[The office|The firm|She|He] [is|works|lives] at {street} in {city}.
The [address|street] is {street}.
[You find us|Come] at {street}.
[She|He] [lives|is based|works|is located] in {city}.
The [city|town] is {city}.
[The office is|Her office is|They are] in {city}, {country}.
The [postcode|postal code|zip code] is {postcode}.
[Post goes to|Send letters to] {street}, {postcode} {city}, {country}.
[Her|His|The] [home country|country] is {country}.
[She|He] comes from {country}.
""",
    "order": """
[Thank you for|We confirm|We have received] your order {order_number} [of|from|placed on] {order_date}.
[Your order|This order|The order] has the [number|reference] {order_number}.
[Order|Purchase order] {order_number} [was placed by|comes from|belongs to] {customer}.
The order number is {order_number}.
[Please quote|Please use|Refer to] {order_number} [for questions|in all mails|if you call].
It is [filed|registered|stored] [as|under] {order_number}.
{customer} [ordered|bought|wants|would like] {quantity} [units of|pieces of|x|] {item}.
{customer} [placed|made|sent] [an|this] order on {order_date}.
[Dear|Hello|Hi] {customer}, [your order is on its way|thanks for shopping with us|good news].
The [customer|buyer|client] is {customer}.
The [goods|parcel] [go|goes|will be sent] to {customer} in {city}.
It was ordered by {customer}.
We ship {quantity} [pieces of|units of|] {item} to {city}.
[We send|You get|You will receive] {quantity} x {item}.
The [item|product|article] is [a|the] {item}.
You [ordered|bought|chose] [the|a|our] {item}.
[It contains|The box holds|The parcel contains] [the|] {item}.
The [quantity|number of pieces|number of units] is {quantity}.
[You ordered|We pack|We reserved] {quantity} [pieces|units|of them].
In all {quantity} [pieces|units] were ordered.
[Each|One|A piece] costs {price}.
The [price|unit price|price per unit|price per piece] is {price}.
[They cost|It costs|You pay] {price} [each|a piece|per unit].
We [charge|ask] {price} [for each|per piece|apiece].
It was [ordered|placed|bought] on {order_date}.
The [order date|date of the order|purchase date] is {order_date}.
We [received|got|booked] it on {order_date}.
[Delivery|Arrival] is [expected|planned|scheduled] [on|for|by] {delivery_date}.
[It|The parcel|Your parcel] [arrives|will arrive|should arrive] [on|by] {delivery_date}.
We [deliver|ship|will deliver] on {delivery_date}.
[Expect|You can expect] [it|the parcel|delivery] on {delivery_date}.
The [delivery date|planned date of arrival] is {delivery_date}.
It is [shipped|sent|carried|delivered] [by|with] {carrier}.
The [carrier|courier|forwarder] is {carrier}.
{carrier} [brings|delivers|carries] the [parcel|goods|box].
We [handed|gave] it to {carrier}.
[Track it|Follow it|Follow the parcel] with {tracking}.
The [tracking number|tracking code|parcel number] is {tracking}.
{carrier} [uses|gave us] the tracking number {tracking}.
The [destination|delivery address] is [in|] {city}.
It [goes|travels|is shipped] to {city}.
[We use|You chose|It goes by] {shipping} [shipping|delivery].
The [shipping method|delivery method|mode of shipping] is {shipping}.
[The order|It|Your order] is [now|currently|at the moment] {status}.
[The status|The state|The current status] is {status}.
We [list|show] the order as {status}.
""",
    "incident": """
[Incident|Ticket|Case] {incident_id} was [opened|raised|reported] by {reporter}.
This is [incident|case|ticket] {incident_id}.
The [incident|ticket|case] has the [number|ID] {incident_id}.
We [track|follow] [this|it] [as|under] {incident_id}.
[Details are|All is written down] in [ticket|report] {incident_id}.
The {service} [failed|went down|stopped working|broke down] at {started}.
The {service} was [unavailable|down|offline] [from|between] {started} [to|until|and] {resolved}.
[Users could not reach|Nobody could use|There was no access to] the {service}.
The [affected|impacted|failing] [service|system] [is|was] the {service}.
There [was|is] a [problem|failure|fault] [with|in] the {service}.
[An outage|A failure] [hit|struck] the {service}.
[The severity|Severity|The priority] is {severity}.
This is a {severity} [severity|priority] [incident|event|case].
[It was|We] [classified|rated|ranked] [it|] [as|] {severity}.
The [impact|level] was {severity}.
It [started|began|was noticed|occurred|was detected] at {started}.
The [problem|trouble|outage] [started|began] at {started}.
[First alarms|The first alerts] came at {started}.
It was [resolved|fixed|over|solved] at {resolved}.
[Service|Operation|Normal work] was [restored|back] at {resolved}.
It [lasted|went on] until {resolved}.
[Everything|All] [worked|ran] again at {resolved}.
{reporter} [reported|noticed|discovered|raised] [it|the problem|the incident].
It was [reported|noticed|discovered|raised|logged] by {reporter}.
The [report|first call|alert] came from {reporter}.
{reporter} [called|wrote to|informed] the help desk.
{assignee} [is in charge|took over|is on call|works on it|handled it].
It [is|was] [assigned to|handled by|given to|owned by] {assignee}.
The [owner|assignee|engineer in charge|engineer on call] is {assignee}.
We [asked|told] {assignee} to [fix it|take care of it|look into it].
The [cause|root cause|reason] [was|is] [a|an|] {cause}.
It was [caused by|due to|the result of|brought about by] [a|an|] {cause}.
[A|An|] {cause} [led to|caused|triggered] [the outage|it|the failure].
[Engineers|We] [found|identified|suspect] [a|an|] {cause}.
[We|The team|The engineer] {action}.
[To fix it|As a fix|As a remedy|In response], [we|the team] {action}.
The [fix|remedy|solution|action taken] was: {action}.
[About|Some|] {affected_users} [users|customers|people] were [affected|hit|impacted].
It [affected|hit|touched] {affected_users} [users|customers|people].
The number of [affected|impacted] users is {affected_users}.
The [incident|ticket|case] is [now|] {status}.
[The status|The current status|Its state] is {status}.
We [keep|marked] [it|the ticket] as {status}.
It [happened|occurred|took place] [in|at] {location}.
The [location|place|site] is {location}.
[Our team|A technician] [went|drove] to {location}.
It [lasted|took] {duration} minutes.
[The outage lasted|We were down for|It was offline for] {duration} minutes.
After {duration} minutes [it was over|all was well].
""",
}

# lines about a key that only the schema knows
GENERIC = """
{k}: {v}
{k} : {v}
{k} = {v}
{k} - {v}
{k}; {v}
{k} -> {v}
{k} | {v}
* {k}: {v}
- {k}: {v}
[{k}] {v}
{k}={v}
{k} is {v}
{k} [was|equals|reads|means] {v}
The {k} is {v}.
The {k} [was|reads|equals] {v}.
Its {k} [is|was] {v}.
[Our|My|Their] {k} is {v}.
We [set|changed|put|fixed] the {k} to {v}.
The {k} [stands|lies] at {v}.
[For|As] {k} [use|take|choose|enter] {v}.
[Note|Remember] the {k}: {v}.
[Please|Kindly] use {v} as the {k}.
[They|We] [chose|picked|gave] {v} as {k}.
{v} is the {k}.
{v} [was|became] the {k}.
The {k} [given|named|found|stated] is {v}.
{k}: '{v}'
{k} => {v}
{k} ... {v}
"{k}": "{v}"
{k}, {v}
With a {k} of {v}.
It [has|had|shows] a {k} of {v}.
{k}: <{v}>
{k} [set to|given as] {v}
{k} ({v})
{k}:: {v}
{k} ~ {v}
Regarding {k}, we have {v}.
{k} [currently|now] {v}
The value of {k} is {v}.
The field {k} holds {v}.
"""

NOISE = """Thank you for your business.|Please do not reply to this mail.|All rights reserved.|Have a nice day.|We are happy to help.|This document was created
 by a machine.|Terms and conditions apply.|See the other side for details.|Keep this for your records.|Please check the details below.|If anything is wrong, let us know.|Errors
 excepted.|No signature needed.|Thanks again.|We look forward to hearing from you.|Please handle with care.|For internal use only.|This note is confidential.|Next
 meeting on Monday.|The weather was fine.|More information will follow.|A copy was sent by post.|The team did a great job.|Nothing else to report.|Please print only if
 needed.|Returns are accepted within 14 days.|Page 1 of 1.|Updated twice a day.|Opening hours 9 to 5.|We apologise for the trouble.|Customers were informed.|The matter is
 under review.|A full report will follow.|Best wishes.|Kind regards.|Hello,|Good morning,|To whom it may concern,|Dear all,|Regards""".replace(
    "\n", ""
).split("|")

TITLES = {
    "invoice": "INVOICE|Invoice|Bill|Tax invoice|Your invoice|Invoice details|Payment request",
    "contact": "Contact|Business card|Contact card|CONTACT|Address book entry|Contact details|Card|New contact",
    "order": "ORDER|Order confirmation|Order|Purchase order|Your order|Order details|Order summary|Delivery note",
    "incident": "INCIDENT|Incident report|Incident note|Outage report|Incident|Post mortem|Ticket summary|Log entry",
    "generic": "Record|Data sheet|Details|Overview|Entry|Profile|Summary|Facts|Notes|Sheet",
}


def expand(pattern: str) -> list[str]:
    """Every reading of a pattern with bracketed alternatives: `expand("a [b|c]")` is `["a b", "a c"]`."""
    found = re.search(r"\[([^\[\]]*\|[^\[\]]*)\]", pattern)
    if not found:
        return [re.sub(" +", " ", pattern).strip()]
    start, end = found.span()
    return [text for choice in found[1].split("|") for text in expand(pattern[:start] + choice + pattern[end:])]


def one_reading(rng: Random, pattern: str) -> str:
    """One reading of a pattern, drawn evenly at every bracket."""
    text = re.sub(r"\[([^\[\]]*\|[^\[\]]*)\]", lambda found: rng.choice(found[1].split("|")), pattern)
    return re.sub("  +", " ", text).replace(" .", ".").strip()


def slots(pattern: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\{(\w+)\}", pattern))


def _split(entries: list[str], part: int) -> tuple[list[str], list[str]]:
    """The entries, one `part`-th of them (by checksum, at least one, never the first) set aside as the second list."""
    ranked = sorted(entries[1:], key=lambda text: zlib.crc32(text.lower().encode()))
    aside = max(1, len(ranked) // part)
    return [entries[0], *ranked[aside:]], ranked[:aside]


@cache
def labels(kind: str, role: str, unseen: bool) -> list[str]:
    """The labels of a role, of one side of the split."""
    texts = [text for pattern in re.sub(r"\s+", " ", LABELS[kind][role]).split(";") for text in expand(pattern.strip())]
    distinct = {text.lower(): text for text in texts}
    return _split(list(distinct.values()), 6)[unseen]


@cache
def unseen_labels() -> frozenset[str]:
    """Every label that is held out, in lower case: random keys and labels made from keys stay clear of them in training."""
    return frozenset(text.lower() for kind in KINDS for role in LABELS[kind] for text in labels(kind, role, True))


@cache
def sentences(kind: str, unseen: bool) -> list[str]:
    """The sentence patterns of a kind, of one side of the split; each role is asked once which of its patterns to set aside."""
    patterns = [line.strip() for line in SENTENCES[kind].strip().splitlines()]
    aside: set[str] = set()
    for role in LABELS[kind]:
        own = [pattern for pattern in patterns if slots(pattern) == (role,)]
        if len(own) > 1:
            aside.update(_split(own, 6)[1])
    several = [pattern for pattern in patterns if len(slots(pattern)) > 1]
    aside.update(_split(several, 6)[1])
    return [pattern for pattern in patterns if (pattern in aside) == unseen]


@cache
def generic(unseen: bool) -> list[str]:
    """The layouts of labelled values, of one side of the split."""
    return _split([line for line in GENERIC.strip().splitlines()], 6)[unseen]
