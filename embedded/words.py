"""Word lists, all written for this project, and the pseudo-words that are made from syllables.

Invariant: every function that draws takes its own `random.Random`, so that a seed decides the whole output.
Held by tests/test_embedded.py (documents are the same for the same seed).
"""

from __future__ import annotations

from functools import cache
from random import Random

FIRST = """Anna Ben Clara David Elena Frank Grace Henry Irene Jacob Karin Liam Maria Noah Olivia Peter Quinn Rosa Samuel
Teresa Ulrich Vera Walter Xenia Yusuf Zoe Aaron Bella Carlos Diana Emil Fatima George Hannah Ivan Julia Kevin Laura
Martin Nina Oscar Paula Ravi Sofia Thomas Uma Victor Wendy Adam Beatrice Conrad Daria Edgar Flora Gustav Helga Igor
Jasmine Kofi Lena Marcus Nadia Otto Petra Rahul Sarah Tobias Ursula Vincent Wanda Amir Brenda Chen Dolores Erik Freya
Giulia Hugo Ines Jonas Katrin Leo Mei Nils Oleg Priya Renata Stefan Tomoko Valentina Wei Yara Zain Agnes Boris Celine
Dmitri Esther Felix Gemma Hassan Ingrid Jorge Kira Lucas Mona Nathan Omar Pablo Rita Simon Tanya Vikram Aisha Bruno
Chloe Dario Emma Finn Greta Harold Isabel Jack Kamal Lucia Miriam Nora Owen Patrick Ruth Sven Tara Amelia Bernard
Camille Dennis Eva Fiona Gavin Hilda Ian Joanna Keiko Lars Megan Niklas Olga Philip Rachel Sanjay Theo Viola Alice
Brian Carmen Duncan Edith Fabian Gloria Howard Ida James Kate Leon Mark Naomi Paul Roger Sonia Tim Zoë José Jürgen
Renée Søren Łukasz Björn Chloé André Håkan Émile François Mónica Ángel Dániel""".split()

LAST = """Adler Baker Carter Dawson Eriksen Fischer Garcia Huber Ivanova Jensen Keller Lopez Mason Novak Olsen Parker
Quist Rossi Schmidt Turner Underwood Vargas Wagner Xu Young Zimmer Abbott Bishop Castro Dietrich Evans Ferrari Gibson
Hansen Ito Jacobs Kumar Lindberg Meyer Nakamura Ortega Patel Quigley Reed Santos Tanaka Ueda Vogel Walsh Yilmaz Zhang
Andersen Brandt Cooper Diaz Ellis Foster Grant Hughes Ibrahim Jung Klein Larsen Moreno Nguyen Osborne Price Ramirez
Silva Thompson Vance Weber Archer Barnes Cole Doyle Eaton Fraser Greene Holt Irving Joyce Knight Lambert Marsh Nash
Oakley Pratt Rhodes Stone Tucker Vaughn West Ahmed Berger Chavez Dubois Egger Fuchs Gruber Hofer Jansen Kaya Lang Maier
Nowak Orlov Peters Richter Sato Theiss Ullman Visser Winter Yamada Zeller Bianchi Conti Dahl Endo Fontana Greco Haas
Iversen Kato Leone Mancini Nielsen Okafor Popov Romano Suzuki Torres Urban Vidal Wong Brown Clark Davis Hall Hill King
Lewis Martin Moore Scott Smith Taylor White Wright Müller Gómez Öberg Núñez Lefèvre Kovács Jørgensen Peña Dvořák Şahin""".split()

CITIES = """Vienna Berlin Oslo Madrid Paris Lisbon Dublin Prague Warsaw Athens Zurich Geneva Hamburg Munich Cologne
Leipzig Dresden Graz Linz Salzburg Turin Milan Naples Bologna Verona Seville Porto Lyon Nantes Bordeaux Ghent Antwerp
Utrecht Rotterdam Bergen Aarhus Malmo Uppsala Tampere Riga Tallinn Vilnius Krakow Gdansk Brno Budapest Zagreb Split
Ljubljana Belgrade Sofia Varna Leeds Bristol York Cardiff Glasgow Dundee Cork Galway Boston Denver Austin Dallas Chicago
Seattle Portland Phoenix Atlanta Memphis Toronto Ottawa Montreal Calgary Sydney Perth Melbourne Auckland Osaka Kyoto
Nagoya Seoul Busan Taipei Singapore Mumbai Delhi Chennai Nairobi Accra Lagos Cairo Tunis Lima Quito Bogota Santiago
Springfield Riverton Oakdale Fairview Milltown Greenfield Ashford Brookside Hillcrest Lakewood Maplewood Norwood
Stonebridge Westport Eastwick Kingsford Redhill Silverton Clearwater Highfield Málaga Zürich Göteborg København""".split()

COUNTRIES = """Austria Belgium Brazil Canada Chile Colombia Croatia Denmark Egypt Estonia Finland France Germany Ghana
Greece Hungary Iceland India Ireland Italy Japan Kenya Latvia Lithuania Mexico Morocco Netherlands Nigeria Norway Peru
Poland Portugal Romania Serbia Singapore Slovakia Slovenia Spain Sweden Switzerland Thailand Tunisia Turkey Ukraine
Uruguay Vietnam Australia Argentina""".split()

ADJECTIVES = """blue red green black white grey silver golden small large compact wide narrow heavy light portable wireless
digital electric manual steel wooden plastic leather cotton ceramic glass copper rubber foldable adjustable modular
premium basic classic modern industrial outdoor indoor waterproof solar thermal magnetic rotary hydraulic flexible rigid
round square double single triple spare reinforced insulated coated polished brushed braided printed laminated recycled
quiet rapid smart central mobile""".split()

ITEMS = """lamp chair desk table shelf cable keyboard monitor printer router switch pump valve filter hinge bolt bracket
gasket sensor battery charger adapter helmet glove jacket boot backpack bottle kettle toaster blender mixer pan knife
ladder drill hammer wrench saw pliers screwdriver toolbox trolley crate pallet barrel hose pipe fan heater radiator
thermostat camera tripod lens speaker headset microphone projector screen tablet notebook folder stapler envelope pencil
marker binder calendar clock mirror rug curtain pillow blanket towel basket bucket broom mop brush tray rack cabinet
drawer locker safe lock key handle frame panel tile brick beam plank motor engine gear bearing belt chain spring piston
turbine compressor nozzle gauge meter probe scanner label ribbon cartridge toner tripwire scale stool bench sofa tent
stove lantern rope anchor paddle bicycle scooter tyre saddle pedal""".split()

MAKERS = """Apex Northwind Bluebird Summit Harbor Cedar Granite Orchid Falcon Pioneer Sterling Meridian Lakeside Crown
Beacon Vertex Horizon Juniper Keystone Lunar Maple Nimbus Oakwood Pinnacle Quartz Redwood Sapphire Tundra Umber Vista
Willow Zenith Atlas Birch Cobalt Delta Ember Fjord Glacier Hazel Iron Jade Krypton Lotus Marble Nova Onyx Prairie Raven
Saffron Thistle Union Velvet Winter Arrow Bridge Castle Dune Eagle Forge Garnet Heron Island Jasper Kestrel Linden""".split()

TRADES = """Logistics Systems Foods Textiles Motors Energy Software Consulting Media Instruments Plastics Metals Pharma
Chemicals Electronics Furniture Printing Packaging Shipping Trading Engineering Analytics Robotics Interiors Optics
Tools Paper Marine Aviation Farms Bakery Brewing Travel Insurance Capital Partners Holdings Industries Supply Works
Services Solutions Studios Labs Networks Construction Design Publishing Security Water Timber Glass""".split()

FORMS = "Ltd LLC Inc GmbH AG Corp SA BV Oy AB Co plc Group KG SRL".split()

ROLES_LEFT = """senior junior lead chief head assistant deputy regional principal associate acting global technical
commercial""".split()

ROLES_RIGHT = """engineer manager accountant buyer analyst designer architect consultant director officer technician
planner developer editor nurse physicist librarian translator auditor inspector controller coordinator supervisor
researcher programmer administrator electrician mechanic chemist lawyer secretary""".split()

AREAS = """sales finance purchasing quality software logistics marketing operations security research payroll product
legal network data support safety procurement design maintenance""".split()

SERVICES_LEFT = """payment login search checkout billing email order mobile internal customer reporting backup image
session message stock booking account metrics identity invoice video""".split()

SERVICES_RIGHT = """service gateway database cluster api portal queue server website pipeline cache app proxy scheduler
dashboard store worker""".split()

CAUSES_LEFT = """expired certificate|full disk|bad deployment|memory leak|power failure|network outage|wrong configuration
|broken cable|failed migration|traffic spike|faulty sensor|stuck job|lost connection|corrupt index|missing patch|blocked port
|slow query|overheated rack|stale cache|wrong firewall rule|dead battery|leaking pipe|human error|hardware fault|clock drift
|expired password|exhausted connection pool|race condition|defective switch|duplicate key""".replace("\n", "").split(
    "|"
)

ACTIONS = """restarted the {x}|rolled back the release|replaced the {i}|renewed the certificate|cleared the cache
|added more memory|increased the disk|blocked the traffic|switched to the backup|restored the {x}|patched the {x}
|disabled the {x}|rotated the keys|moved the load to the {x}|informed all users|changed the {i}|reset the {x}
|repaired the {i}|scaled out the {x}|applied a hot fix""".replace("\n", "").split("|")

STREET_NAMES = """Oak Elm Mill Park Church High Station Garden River Lake Hill Forest Market Bridge King Queen Castle
School Spring Meadow North South West East Harbour Chapel Orchard Victoria Linden Rose Walnut Chestnut Cherry Sunset
Valley Windmill Abbey Birch Canal Depot""".split()

STREET_KINDS = "Street Road Lane Avenue Drive Way Court Place Square Close Row Terrace Boulevard".split()

MONTHS = """January February March April May June July August September October November December""".split()

TOPICS = """network hardware urgent customer billing security printing database storage mobile travel garden kitchen
summer winter legacy internal external weekly monthly fragile refund priority export import test holiday office sports
music health energy wood metal paper water fire safety training hiring legal finance""".split()

KEY_WORDS = """depth height width weight speed colour shape model serial batch lot zone floor room shelf bin gate dock lane
pilot crew cargo route flight vessel engine driver owner tenant agent broker author title chapter volume edition publisher
isbn genre language format length duration tempo artist album track label studio producer director actor budget revenue
profit margin cost fee fare toll rent deposit loan rate term grade score rank level stage phase step round team league coach
captain player goal venue host guest topic theme subject course class teacher student school campus degree major patient
doctor ward diagnosis dose drug allergy blood pulse pressure temperature humidity wind rain sky planet star moon orbit
mission rocket probe lander crater mineral rock soil crop seed harvest yield farm barn animal breed species habitat diet
recipe dish flavour spice sauce oven portion calories sugar salt fat protein fibre vitamin fabric size sleeve collar button
brand maker plant machine part tool material finish coating voltage current power frequency signal channel band antenna
cable port plug socket fuse panel meter sensor camera lens filter screen pixel memory disk cpu kernel driver version build
release branch commit bug ticket sprint task status priority owner reviewer deadline milestone project client vendor contract
clause party court judge case verdict sentence appeal statute permit licence passport visa border customs duty tariff quota
country region province city district street building house apartment door window roof wall garden pool garage fence bridge
tunnel station platform train bus tram taxi bicycle road highway exit bank branch account card pin balance transfer currency
stock bond fund share dividend index option hedge risk policy claim premium insurer category type code name number date time
place person department position manager origin destination source target purpose reason method result remark note comment
summary alias nickname motto crest badge locker key token hash salt seed region shard replica quorum leader node pod tenant
habitat altitude latitude longitude bearing heading mileage fuel tank gearbox axle wheel brake clutch chassis paint trim
deck cabin mast sail hull keel rudder anchor harbour tide wave reef island volcano glacier canyon valley""".split()

KEY_LEFT = """first last main primary secondary total net gross average daily weekly monthly annual local global old new
current previous next final initial internal external official public private minimum maximum actual planned expected
estimated approved preferred technical legal financial medical digital home work upper lower left right front rear inner
outer spare backup test""".split()

ENGLISH = """the of and to in is that it was for on are as with they be at one have this from or had by word but what some we
can out other were all there when up use your how said each she which do their time if will way about many then them write
would like so these her long make thing see him two has look more day could go come did number sound no most people my over
know water than call first who may down side been now find any new work part take get place made live where after back little
only round man year came show every good me give our under name very through just form sentence great think say help low
line differ turn cause much mean before move right boy old too same tell does set three want air well also play small end put
home read hand port large spell add even land here must big high such follow act why ask men change went light kind off need
house picture try us again animal point mother world near build self earth father head stand own page should country found
answer school grow study still learn plant cover food sun four between state keep eye never last let thought city tree cross
farm hard start might story saw far sea draw left late run while press close night real life few north open seem together
next white children begin got walk example ease paper group always music those both mark often letter until mile river car
feet care second book carry took science eat room friend began idea fish mountain stop once base hear horse cut sure watch
colour face wood main enough plain girl usual young ready above ever red list though feel talk bird soon body dog family
direct pose leave song measure door product black short numeral class wind question happen complete ship area half rock order
fire south problem piece told knew pass since top whole king space heard best hour better true during hundred five remember
step early hold west ground interest reach fast verb sing listen six table travel less morning ten simple several vowel
toward war lay against pattern slow centre love person money serve appear road map rain rule govern pull cold notice voice
unit power town fine certain fly fall lead cry dark machine note wait plan figure star box noun field rest correct able pound
done beauty drive stood contain front teach week final gave green quick develop ocean warm free minute strong special mind
behind clear tail produce fact street inch multiply nothing course stay wheel full force blue object decide surface deep moon
island foot system busy test record boat common gold possible plane stead dry wonder laugh thousand ago ran check game shape
equate hot miss brought heat snow tire bring yes distant fill east paint language among grand ball yet wave drop heart
present heavy dance engine position arm wide sail material size vary settle speak weight general ice matter circle pair
include divide syllable felt perhaps pick sudden count square reason length represent art subject region energy hunt
probable bed brother egg ride cell believe fraction forest sit race window store summer train sleep prove lone leg exercise
wall catch mount wish sky board joy winter sat written wild instrument kept glass grass cow job edge sign visit past soft fun
bright gas weather month million bear finish happy hope flower clothe strange gone jump baby eight village meet root buy
raise solve metal whether push seven paragraph third shall held hair describe cook floor either result burn hill safe cat
century consider type law bit coast copy phrase silent tall sand soil roll temperature finger industry value fight lie beat
excite natural view sense ear else quite broke case middle kill son lake moment scale loud spring observe child straight
consonant nation dictionary milk speed method organ pay age section dress cloud surprise quiet stone tiny climb cool design
poor lot experiment bottom key iron single stick flat twenty skin smile crease hole trade melody trip office receive row
mouth exact symbol die least trouble shout except wrote seed tone join suggest clean break lady yard rise bad blow oil blood
touch grew cent mix team wire cost lost brown wear garden equal sent choose fell fit flow fair bank collect save control
decimal gentle woman captain practice separate difficult doctor please protect noon whose locate ring character insect caught
period indicate radio spoke atom human history effect electric expect crop modern element hit student corner party supply
bone rail imagine provide agree thus capital chair danger fruit rich thick soldier process operate guess necessary sharp wing
create neighbour wash bat rather crowd corn compare poem string bell depend meat rub tube famous dollar stream fear sight
thin triangle planet hurry chief colony clock mine tie enter major fresh search send yellow gun allow print dead spot desert
suit current lift rose continue block chart hat sell success company subtract event particular deal swim term opposite wife
shoe shoulder spread arrange camp invent cotton born determine quart nine truck noise level chance gather shop stretch throw
shine property column molecule select wrong gray repeat require broad prepare salt nose plural anger claim continent oxygen
sugar death pretty skill women season solution magnet silver thank branch match suffix especially fig afraid huge sister
steel discuss forward similar guide experience score apple bought led pitch coat mass card band rope slip win dream evening
condition feed tool total basic smell valley nor double seat arrive master track parent shore division sheet substance favour
connect post spend chord fat glad original share station dad bread charge proper bar offer segment slave duck instant market
degree populate chick dear enemy reply drink occur support speech nature range steam motion path liquid log meant quotient
teeth shell neck account address amount attach balance bill budget cancel client confirm contact contract customer deliver
delivery department deposit discount due email employ expense export fax fee file goods import inform insure invoice issue
item label loan manager member merchant message mobile number owe owner pack parcel payment phone policy price private profit
project purchase quality quantity quote receipt refer refund register remark remit report request return review sale schedule
seller service ship signature status stock subtotal tax telephone terms ticket title transfer update urgent user valid vendor
website weight wholesale worker zone access admin alert analysis archive array backup batch binary boolean browser buffer
button cache client cloud code command compile computer config console constant crash cursor data database debug default
delete deploy device digital directory disk display document domain download driver duplicate editor encode error execute
export field filter folder format function hardware host icon image index input install integer interface internet kernel
keyboard language library license link linux local login loop memory menu module monitor network node null number object
offline online operator option output packet parameter parse password patch pixel platform pointer port printer process
program protocol query queue random recover remote render reset restart restore root router runtime scan schema screen script
security sensor server session signal socket software source stack storage stream syntax table tag target template terminal
text thread timeout token trace traffic type unicode upload username utility variable vector version virtual visible window
abstract academic accept accident achieve acid across active actor actual adapt adjust admire adopt adult advance advice
affair affect afford agency agenda aim aircraft airport alarm album alcohol alive alone along already alter although amaze
ancient angle annual apart apparent appeal apply appoint approach approve argue army around arrest arrival article artist
aspect assess assist assume athlete attack attempt attend attitude attract audience author authority automatic available
average avoid award aware awful background bake bamboo banana barrel barrier basket battle beach beam bean beef beer behave
belief belong belt bench bend benefit beside bet beyond bicycle bid birth biscuit bite bitter blame blanket blind bomb bond
bonus border borrow boss bother bottle bowl brain brake brand brave breath breeze brick brief brilliant broadcast bronze
brush bubble bucket bullet bunch bundle burden bury bush butter cabin cabinet cable cake calculate calendar calm camera
campaign canal candle candidate canvas capable capacity carbon career careful cargo carpet carrot cartoon cash castle casual
category cattle ceiling celebrate cement ceremony chain chair challenge champion channel chapter charity charm chase cheap
cheek cheese chemical cherry chest chicken chimney chip chocolate church cigarette cinema citizen civil classic clerk clever
cliff climate clinic closet coach coal coffee coin collar college combine comfort comment commit committee community compete
complain complex component concept concern concert conclude concrete conduct conference confidence conflict confuse congress
conscious consist constant construct consult consume contest context contrast contribute convert convince cookie cope copper
coral core cottage cough council couple courage court cousin craft crane crazy cream credit creek crew crime crisis critic
crown cruel cry culture cup cupboard cure curious curtain curve custom cycle damage damp daughter dawn debate debt decade
decay december decline decorate decrease deer defeat defend define delay delicate deliver demand democracy deny depart deposit
depth deputy derive describe deserve desire desk despite destroy detail detect device devote diamond diary diet dinner
diplomat disaster discipline discover disease dish dismiss dispute distance distinct district disturb divorce domestic
donate donkey doubt dozen draft drag drama drawer drift drill drum duty eager eagle earn eastern echo economy edit educate
effort elbow elder elect elephant elevator elite embrace emerge emotion emphasis empire empty enable encounter encourage
endless enforce engage enhance enjoy enormous ensure entertain enthusiasm entire entrance envelope environment episode era
escape essay establish estate estimate ethnic evaluate eventual evidence evil evolve exam exceed excellent exchange exclude
excuse exhaust exhibit exist expand expert explain explode explore expose express extend extra extreme fabric facility factor
factory faculty fail faint faith false fame fancy fantasy fashion fate fault feather feature federal female fence festival
fever fiction fifteen fifty finance firm fitness flag flame flash flavour flesh flexible flight float flood flour fluid focus
fold forbid forecast foreign forever forget forgive fork formal formula fortune foster foundation fragile frame frequent
friendly frog frost frozen fuel fund funeral funny fur furniture further future gain gallery gap garage garbage garlic gate
gear gender gene genius genre genuine gesture ghost giant gift giraffe glance global globe glory glove glue goal goat golden
goose gospel gossip govern grain grape graph grasp grateful gravity grocery growth guard guest guilty guitar gulf habit
hammer handle harbour harmony harvest hazard headline health heaven heel helicopter helmet herb hero hesitate hidden highway
hobby hockey holiday hollow holy honest honey honour horizon horn horror hospital hotel household huge humble humour hunger
husband hybrid hydrogen ideal identical identify ignore illegal illness illustrate imitate immediate immense impact imply
impose impress improve impulse incident income increase index infant infect inflation influence initial injure inner innocent
inquiry insert inside insist inspect inspire instance instead instinct institute instruct insult intact intend intense
internal interpret interrupt interval interview introduce invade invest invite involve isolate ivory jacket jail jam jazz
jealous jelly jewel joint joke journal journey judge juice junction jungle junior jury justice keen kettle kick kidney kingdom
kitchen kite knee knife knock knot knowledge labour lack ladder lamb lamp landscape lane laptop laser launch laundry lawn
lawyer layer leader leaf league leather lecture legal legend leisure lemon length lens lesson liberty lid limb limit lion lip
literature liver living load lobby lock logic lonely loose lord lorry lounge loyal luck lucky luggage lunch lung luxury
magazine magic mail maintain majority male mall mango manual manufacture maple marathon marble margin marine marriage marry
mask maximum mayor meadow meal mechanic medal media medicine medium melt membrane mention mercy merge merit merry mess
mexico microwave midnight military mill minimum minister minor mirror misery mission mistake mixture moderate modest modify
moist monkey monster mood moral mosque mosquito motive motor mouse movement multiple murder muscle museum mushroom mutual
mystery myth nail naked narrow nasty native navy neat needle negative neglect negotiate nephew nerve nest neutral news noble
noisy normal northern novel nuclear nurse nut oak obey objective oblige obtain obvious occasion occupy odd offend officer
olive onion opera opinion oppose orange orbit orchard ordinary organic orient origin orphan otherwise outcome outdoor outer
outline outside oven overall overcome oyster package pain palace palm panel panic parade paragraph parallel parliament
partner passage passenger passion passive pasta patience patient patrol pause pavement peace peak peanut pear pearl peasant
pen penalty pencil pension pepper percent perfect perform perfume permanent permit persist personal persuade pest petrol
phase philosophy photo physical piano pig pile pill pilot pin pink pioneer pipe pity pizza plastic plate pleasant plenty plot
plug pocket poet poison pole police polish polite politics pond pool pop popular porch portion portrait positive possess
potato potential pot poverty powder praise pray precious precise predict prefer pregnant premium presence preserve president
pressure prevent previous pride priest primary prime prince princess principle priority prison prize probably procedure
proceed profession professor profile progress prohibit promise promote prompt proof propose prospect prosper protein protest
proud province public publish pump punish pupil puppet pure purple purpose purse pursue puzzle quarrel quarter queen quest
quiz rabbit racket rage raid railway rainbow rank rapid rare rat rate ratio raw ray react realize rear rebel recall recent
recipe recognize recommend reduce reflect reform refuse regard regret regular reject relate relax release relief religion
rely remain remedy remind remove rent repair replace represent republic rescue research resemble reserve resident resign
resist resort resource respect respond responsible restaurant retire reveal revenge reverse revolution reward rhythm ribbon
rice ride rifle ritual rival roar rob robot rocket romance roof rough route royal rubber rubbish rude rug ruin rural rush
sack sacred sacrifice sad saddle sailor saint salad salary salmon sample satellite satisfy sauce sausage scandal scare scarf
scatter scene scheme scholar scissors scratch scream sculpture seal secret secretary secure seek seize seldom selfish senate
senior sensible sequence series serious sermon settle severe sew shade shadow shake shallow shame shark shed shelf shelter
shield shift shirt shock shoot shower shrink shut shy sick siege signal silence silk silly sincere sink site skate sketch ski
skirt skull slice slide slight slope smart smoke smooth snake sneeze soap social society sock soda sofa solar sole solid
somebody soul soup sour sphere spider spin spirit spit splendid split spoil sponge spoon sport spray squad squash squeeze
stable stadium staff stage stair stamp standard stare statement statue steady steak steal steep stem stereo stiff sting
stomach storm stove strategy straw strength stress strict strike strip structure struggle stuff stupid style submit
substitute suburb succeed suffer sufficient suitable sum summit sunny super superior supper suppose supreme surgeon surplus
surround survey survive suspect suspend sustain swallow swear sweat sweater sweep sweet swell swift swing switch sword
sympathy symptom tailor talent tank tap tape task taste taxi tea tear technique technology teenager temper temple tempt tend
tennis tense tent territory terror theatre theme theory therapy therefore thief thirst thorough threat throat throne thumb
thunder tide tidy tiger tight timber tin tip tissue toast tobacco today toe toilet tomato tomorrow ton tongue tonight tooth
topic torch tornado tortoise touch tough tour tourist towel tower toy tractor tradition tragedy trail transform transit
translate transmit transport trap trash treasure treat treaty tremble trend trial tribe trick trim triumph troop tropical
trouble trousers trumpet trust truth tunnel turkey turtle twin twist typical ugly umbrella uncle uniform union unique
universe university unless upper upset urban urge usage usually utter vacant vacation vague van vanish variety vast vegetable
vehicle veil vein velvet venture verse vessel veteran victim victory video vinegar violent violin virtue virus vision vital
vitamin vivid volcano volume volunteer vote voyage wage waist wake wander warn warrior waste wealth weapon weave wedding
weed weekend weep welcome welfare western whale wheat whip whisper whistle widow width willing wine winner wipe wisdom wise
witness wolf wool worry worth wound wrap wreck wrist yacht yawn yesterday yield zebra zero""".split()

ONSETS = """b bl br c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p ph pl pr qu r s sch sh sk sl sm sn sp st str sw t th tr v
w wh y z""".split()
NUCLEI = "a e i o u a e i o u ai au ea ee ei eo ia ie io oa oo ou ue y".split()
CODAS = [
    "",
    "",
    "",
    "",
    "",
    *"b ck d f g k l ld ll lm lt m mp n nd ng nk nt p r rd rk rm rn rt s sh sk ss st t th x z".split(),
]


def pseudo_word(rng: Random, least: int = 2, most: int = 4) -> str:
    """A lower-case word of `least` to `most` syllables that no dictionary holds."""
    count = rng.randint(least, most)
    parts = []
    for number in range(count):
        coda = rng.choice(CODAS) if number == count - 1 or rng.random() < 0.25 else ""
        parts.append(rng.choice(ONSETS) + rng.choice(NUCLEI) + coda)
    return "".join(parts)


def inflections(word: str) -> list[str]:
    """The word with the usual English endings (not all of them words, all of them spelt as words are)."""
    stem = word[:-1] if word.endswith("e") else word
    plural = word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")
    return [word, plural, stem + "ed", stem + "ing", stem + "er", word + "ly", word + "ment", stem + "able"]


@cache
def common_words() -> list[str]:
    """Every lower-case word of the lists, once, in a fixed order."""
    lists = [ENGLISH, KEY_WORDS, KEY_LEFT, ADJECTIVES, ITEMS, ROLES_LEFT, ROLES_RIGHT, AREAS, TOPICS]
    lists += [SERVICES_LEFT, SERVICES_RIGHT, [word.lower() for word in MAKERS + TRADES + STREET_NAMES]]
    return list(dict.fromkeys(word for words in lists for word in words))
